//! Places over HTTP.

use super::*;

const POSITION: &str = "agent_id movement_speed target_x target_y velocity_x velocity_y x y";

#[tokio::test]
async fn questions_about_places_have_their_fields() {
    about("position", "position fox-1", POSITION).await;
    let distance = "agent1_id agent1_position agent2_id agent2_position distance";
    about("distance/wolf-2", "distance fox-1 wolf-2", distance).await;
    about("nearby", "nearby fox-1 100 100", "agent_id count nearby_agents radius").await;
    about("nearby?radius=0.5&limit=7", "nearby fox-1 0.5 7", "agent_id count nearby_agents radius").await;
    let (reply, _) = good(Method::GET, "/api/ecs/agents/fox-1/nearby", "").await;
    assert_eq!((&reply.json()["count"], &reply.json()["nearby_agents"][0]["distance"]), (&json!(1), &json!(5.0)));
}

#[tokio::test]
async fn ways_reach_the_world() {
    order("agents/fox-1/move", r#"{"x":1,"y":-2.5}"#, "send_to fox-1 1 -2.5", POSITION).await;
    let body = r#"{"target_agent_id":"w"}"#;
    order("agents/fox-1/move_towards", body, "send_towards fox-1 w 50", POSITION).await;
    let body = r#"{"target_agent_id":"w","distance":1000}"#;
    order("agents/fox-1/move_towards", body, "send_towards fox-1 w 1000", POSITION).await;
}

#[tokio::test]
async fn ways_are_checked_field_by_field() {
    refuses("agents/a/move", json!({"x": 1}), &["y"]).await;
    refuses("agents/a/move", json!({"x": 1, "y": null}), &["y"]).await;
    refuses("agents/a/move", json!({"x": 1, "y": 10_000.01, "z": 1}), &["y", "z"]).await;
    refuses("agents/a/move_towards", json!({}), &["target_agent_id"]).await;
    refuses("agents/a/move_towards", json!({"target_agent_id": "a"}), &["target_agent_id"]).await;
    refuses("agents/a/move_towards", json!({"target_agent_id": "b", "distance": 0.5}), &["distance"]).await;
    refuses("agents/a/move_towards", json!({"target_agent_id": "b", "distance": 1001}), &["distance"]).await;
}
